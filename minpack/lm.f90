! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The Levenberg-Marquardt iteration, written once, as a machine that is handed residuals.
!>
!> The machine never calls the model. Its caller loops: evaluate what `task` asks for at the point `x`, hand
!> it in with `lm_residuals` or `lm_jacobian`, look at the next task, until `task_done`. Everything that must
!> survive between calls lives in three arguments (`fit`, `ipvt`, `work`), so any number of fits can be under
!> way at once, in any thread.
!>
!> Values of a model, with observations and weights, are handed in with `lm_values` and `lm_slopes` instead; who folds
!> rows hands in the square root of the cost and rows, with `lm_norm` and `lm_rows`.
!>
!> Reference: J. J. Moré, B. S. Garbow, K. E. Hillstrom, ANL-80-74 (1980), LMDER and LMDIF; see `lm_step`.
!> Differs from MINPACK-1: reverse communication; tall Jacobians are folded block by block; bounds; losses.
module lm
    use kinds, only: wp, long, row_block, &
        task_done, task_residuals, task_jacobian, &
        info_running, info_improper_input, info_gtol, info_start_not_finite
    use norms, only: is_finite
    use differences, only: difference_step, difference_column
    use rows, only: keep_values, cost_norm, gather_slopes
    use solver_options, only: loss_poisson
    use active, only: box_difference
    use lm_state, only: lm_fit, lm_layout, layout, lay_out, by_differences, by_caller, folded_by_caller, &
        stage_start, stage_difference, is_fixed
    use lm_begin, only: lm_start
    use lm_factor, only: factor, factor_block, fold_all, leave_all_fixed, copy
    use lm_step, only: begin_iteration, propose_step, judge_step
    implicit none (type, external)
    private
    public :: lm_fit, lm_layout, layout, by_differences, by_caller, folded_by_caller
    public :: lm_start, lm_residuals, lm_jacobian, lm_values, lm_slopes, lm_norm, lm_rows, lm_stop

    real(wp), parameter :: none(1) = 0.0_wp     !! observations and weights of those who hand in residuals

contains

    !> Take in the residuals the machine asked for and say what it wants next.
    pure subroutine lm_residuals(m, n, f, fit, ipvt, work, x, task)
        integer, intent(in) :: m                    !! residuals
        integer, intent(in) :: n                    !! parameters
        real(wp), intent(in) :: f(m)                !! weighted residuals at the x last asked about
        type(lm_fit), intent(inout) :: fit          !! scalars of the fit, whose loss is not that of counts
        integer, intent(inout) :: ipvt(n)           !! pivots of the last factorisation
        real(wp), intent(inout) :: work(*)          !! arrays of the fit
        real(wp), intent(out) :: x(n)               !! where to evaluate next, or the solution
        integer, intent(out) :: task                !! what the machine wants next

        type(lm_layout) :: at

        if (fit%loss == loss_poisson) fit%info = info_improper_input
        call find_arrays(fit, at)
        call take_kept(m, n, f, none, .false., none, at, fit, ipvt, work, x, task)
    end subroutine lm_residuals

    !> Take in the values of a model that the machine asked for, and say what it wants next.
    pure subroutine lm_values(m, n, values, y, weighted, weights, fit, ipvt, work, f, x, task)
        integer, intent(in) :: m                    !! points
        integer, intent(in) :: n                    !! parameters
        real(wp), intent(in) :: values(m)           !! values of the model at the x last asked about
        real(wp), intent(in) :: y(m)                !! observations
        logical, intent(in) :: weighted             !! with weights
        real(wp), intent(in) :: weights(*)          !! reciprocal standard deviations (m); 0 leaves a point out
        type(lm_fit), intent(inout) :: fit          !! scalars of the fit
        integer, intent(inout) :: ipvt(n)           !! pivots of the last factorisation
        real(wp), intent(inout) :: work(*)          !! arrays of the fit
        real(wp), intent(out) :: f(m)               !! work: what is kept of the values
        real(wp), intent(out) :: x(n)               !! where to evaluate next, or the solution
        integer, intent(out) :: task                !! what the machine wants next

        type(lm_layout) :: at

        call keep_values(m, values, y, weighted, weights, fit%loss, f)
        call find_arrays(fit, at)
        call take_kept(m, n, f, y, weighted, weights, at, fit, ipvt, work, x, task)
    end subroutine lm_values

    !> Take in what was kept of values, or residuals.
    pure subroutine take_kept(m, n, f, y, weighted, weights, at, fit, ipvt, work, x, task)
        integer, intent(in) :: m, n
        real(wp), intent(in) :: f(m)
        real(wp), intent(in) :: y(*)
        logical, intent(in) :: weighted
        real(wp), intent(in) :: weights(*)
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(inout) :: fit
        integer, intent(inout) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task

        logical :: accepted
        integer(long) :: column

        if (fit%info /= info_running) then
            call finish(n, work(at%x), x, task)
            return
        end if
        if (fit%stage /= stage_difference) then
            call take_norm(n, cost_norm(m, f, fit%loss, fit%f_scale, y, weighted, weights), at, fit, ipvt, work, x, &
                           task, accepted)
            if (accepted) call copy(m, f, work(at%f))
            return
        end if
        fit%nfev = fit%nfev + 1
        if (m <= row_block .or. fit%column < n) then
            column = at%jacobian + (fit%column - 1)*column_length(m, at)
            call difference_column(m, f, work(at%f), fit%h, work(column))
        end if
        if (next_free(n, fit%column + 1, fit, at, work) <= n) then
            call ask_for_difference(n, next_free(n, fit%column + 1, fit, at, work), at, fit, work, x, task)
            return
        end if
        if (m <= row_block) then
            call factor_block(m, n, y, weighted, weights, at, fit, ipvt, work)
        else
            call fold_all(m, n, work(at%jacobian), 1_long, int(m, long), y, weighted, weights, n - 1, fit%column == n, &
                          f, at, fit, ipvt, work)
        end if
        call start_iteration(n, at, fit, ipvt, work, x, task)
    end subroutine take_kept

    !> Take in the square root of the cost, all that a caller who folds hands in of it, and say what is wanted next.
    pure subroutine lm_norm(m, n, fnorm, fit, ipvt, work, x, task)
        integer, intent(in) :: m                    !! residuals
        integer, intent(in) :: n                    !! parameters
        real(wp), intent(in) :: fnorm               !! without a loss ‖f‖, at the x last asked about
        type(lm_fit), intent(inout) :: fit          !! scalars of the fit, begun with folded_by_caller
        integer, intent(inout) :: ipvt(n)           !! pivots of the last factorisation
        real(wp), intent(inout) :: work(*)          !! arrays of the fit
        real(wp), intent(out) :: x(n)               !! where to evaluate next, or the solution
        integer, intent(out) :: task                !! what the machine wants next

        type(lm_layout) :: at
        logical :: accepted

        call find_arrays(fit, at)
        call take_norm(n, fnorm, at, fit, ipvt, work, x, task, accepted)
    end subroutine lm_norm

    !> Take in a Jacobian and its residuals, or the triangle they were folded into, and say what is wanted next.
    pure subroutine lm_rows(m, n, count, rows, evaluations, fit, ipvt, work, x, task)
        integer, intent(in) :: m                    !! residuals
        integer, intent(in) :: n                    !! parameters
        integer, intent(in) :: count                !! rows handed in: m, or n of a triangle; at least n
        real(wp), intent(inout) :: rows(count, n + 1)   !! derivatives at that x, residuals last; destroyed
        integer, intent(in) :: evaluations          !! of the residuals, that the derivatives took
        type(lm_fit), intent(inout) :: fit          !! scalars of the fit, begun with folded_by_caller
        integer, intent(inout) :: ipvt(n)           !! pivots of the last factorisation
        real(wp), intent(inout) :: work(*)          !! arrays of the fit
        real(wp), intent(out) :: x(n)               !! where to evaluate next, or the solution
        integer, intent(out) :: task                !! what the machine wants next

        type(lm_layout) :: at

        call find_arrays(fit, at)
        fit%njev = fit%njev + 1
        fit%nfev = fit%nfev + evaluations
        call factor(count, n, rows, at, fit, ipvt, work)
        call start_iteration(n, at, fit, ipvt, work, x, task)
    end subroutine lm_rows

    !> Judge the residuals at the start or at a trial point by their norm.
    pure subroutine take_norm(n, fnorm, at, fit, ipvt, work, x, task, accepted)
        integer, intent(in) :: n
        real(wp), intent(in) :: fnorm               !! square root of the cost at the x last asked about
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(inout) :: fit
        integer, intent(inout) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task
        logical, intent(out) :: accepted            !! whether that x is now the best

        fit%nfev = fit%nfev + 1
        task = task_residuals
        if (fit%stage == stage_start) then
            accepted = .true.
            fit%fnorm = fnorm
            if (.not. is_finite(fnorm)) fit%info = info_start_not_finite
            if (fit%info == info_running .and. next_free(n, 1, fit, at, work) > n) then
                call leave_all_fixed(n, ipvt, work(at%r), work(at%qtf), work(at%acnorm))
                fit%info = info_gtol
            end if
        else
            call judge_step(n, fnorm, at, ipvt, work, fit, accepted)
        end if
        if (fit%info /= info_running) then
            call finish(n, work(at%x), x, task)
        else if (.not. accepted) then
            call propose_step(n, at, fit, ipvt, work, x)
        else if (fit%analytic == by_differences) then
            call ask_for_difference(n, next_free(n, 1, fit, at, work), at, fit, work, x, task)
        else
            call finish(n, work(at%x), x, task)
            task = task_jacobian
        end if
    end subroutine take_norm

    !> Take in the Jacobian the machine asked for and say what it wants next.
    !>
    !> Element (i, j) is entry 1 + (i - 1)*row_stride + (j - 1)*column_stride of `jac`.
    pure subroutine lm_jacobian(m, n, jac, row_stride, column_stride, fit, ipvt, work, x, task)
        integer, intent(in) :: m                    !! residuals
        integer, intent(in) :: n                    !! parameters
        real(wp), intent(in) :: jac(*)              !! Jacobian of the weighted residuals at the x last asked about
        integer(long), intent(in) :: row_stride     !! distance between neighbours in a column of J
        integer(long), intent(in) :: column_stride  !! distance between neighbours in a row of J
        type(lm_fit), intent(inout) :: fit
        integer, intent(inout) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task

        call lm_slopes(m, n, jac, row_stride, column_stride, none, .false., none, fit, ipvt, work, x, task)
    end subroutine lm_jacobian

    !> The same for derivatives of a model whose values were handed in.
    pure subroutine lm_slopes(m, n, slopes, row_stride, column_stride, y, weighted, weights, fit, ipvt, work, x, task)
        integer, intent(in) :: m, n
        real(wp), intent(in) :: slopes(*)           !! derivatives of the values at the x last asked about
        integer(long), intent(in) :: row_stride, column_stride
        real(wp), intent(in) :: y(*)                !! observations (m); only those of counts are looked at
        logical, intent(in) :: weighted             !! with weights
        real(wp), intent(in) :: weights(*)          !! reciprocal standard deviations (m); 0 leaves a point out
        type(lm_fit), intent(inout) :: fit
        integer, intent(inout) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task

        type(lm_layout) :: at

        call find_arrays(fit, at)
        fit%njev = fit%njev + 1
        if (m <= row_block) then
            call gather_slopes(m, n, int(at%height), slopes, row_stride, column_stride, weighted, weights, &
                               work(at%rows))
            call factor_block(m, n, y, weighted, weights, at, fit, ipvt, work)
        else
            call fold_all(m, n, slopes, row_stride, column_stride, y, weighted, weights, n, .false., none, at, fit, &
                          ipvt, work)
        end if
        call start_iteration(n, at, fit, ipvt, work, x, task)
    end subroutine lm_slopes

    !> End a fit that the model asks to stop.
    pure subroutine lm_stop(m, n, code, fit, work, x, task)
        integer, intent(in) :: m                    !! residuals
        integer, intent(in) :: n                    !! parameters
        integer, intent(in) :: code                 !! > 0, becomes the exit code -code
        type(lm_fit), intent(inout) :: fit          !! scalars of the fit
        real(wp), intent(in) :: work(*)             !! arrays of the fit
        real(wp), intent(out) :: x(n)               !! the best point so far
        integer, intent(out) :: task                !! task_done

        type(lm_layout) :: at

        call find_arrays(fit, at)
        fit%info = -code
        call finish(n, work(at%x), x, task)
    end subroutine lm_stop

    !> Where the arrays of a fit begin.
    pure subroutine find_arrays(fit, at)
        type(lm_fit), intent(in) :: fit
        type(lm_layout), intent(out) :: at

        call lay_out(fit%m, fit%n, fit%analytic, logical(fit%bounded), at)
    end subroutine find_arrays

    !> Distance between differenced columns.
    pure integer(long) function column_length(m, at) result(length)
        integer, intent(in) :: m
        type(lm_layout), intent(in) :: at

        length = m
        if (m <= row_block) length = at%height
    end function column_length

    !> The first parameter from `first` on that is not fixed; n + 1 if there is none.
    pure integer function next_free(n, first, fit, at, work) result(column)
        integer, intent(in) :: n, first
        type(lm_fit), intent(in) :: fit
        type(lm_layout), intent(in) :: at
        real(wp), intent(in) :: work(*)

        do column = first, n
            if (.not. is_fixed(column, fit, at, work)) exit
        end do
    end function next_free

    !> Ask for the residuals one difference step away from the best point, inside the box.
    pure subroutine ask_for_difference(n, column, at, fit, work, x, task)
        integer, intent(in) :: n
        integer, intent(in) :: column
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(inout) :: fit
        real(wp), intent(in) :: work(*)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task

        real(wp) :: here, step

        call finish(n, work(at%x), x, task)
        task = task_residuals
        fit%stage = stage_difference
        fit%column = column
        fit%h = difference_step(x(column), fit%epsfcn)
        if (fit%bounded) then
            here = x(column)
            step = fit%h
            call box_difference(here, work(at%lower + column - 1), work(at%upper + column - 1), step, fit%h, x(column))
        else
            x(column) = x(column) + fit%h
        end if
    end subroutine ask_for_difference

    !> Go on from a factored Jacobian.
    pure subroutine start_iteration(n, at, fit, ipvt, work, x, task)
        integer, intent(in) :: n
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(inout) :: fit
        integer, intent(in) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task

        task = task_residuals
        call begin_iteration(n, at, fit, ipvt, work, x)
        if (fit%info /= info_running) call finish(n, work(at%x), x, task)
    end subroutine start_iteration

    !> Hand out the best point.
    pure subroutine finish(n, best, x, task)
        integer, intent(in) :: n
        real(wp), intent(in) :: best(n)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task

        x = best
        task = task_done
    end subroutine finish

end module lm
