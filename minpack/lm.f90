! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The Levenberg-Marquardt iteration, written once, as a machine that is handed residuals.
!>
!> The machine never calls the model. Its caller loops: evaluate what `task` asks for at the point `x`, hand
!> it in with `lm_residuals` or `lm_jacobian`, look at the next task, until `task_done`. Everything that must
!> survive between calls lives in three arguments (`fit`, `ipvt`, `work`), so any number of fits can be under
!> way at once, in any thread.
!>
!> Reference: J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, LNM 630 (1978);
!> J. J. Moré, B. S. Garbow, K. E. Hillstrom, ANL-80-74 (1980), LMDER and LMDIF.
!> Differs from MINPACK-1: reverse communication; tall Jacobians are folded block by block; residuals that are
!> not finite have exit codes of their own and never count as convergence.
module lm
    use, intrinsic :: iso_c_binding, only: c_int, c_double
    use kinds, only: wp, long, eps, row_block, &
        task_done, task_residuals, task_jacobian, &
        info_running, info_improper_input, info_ftol, info_xtol, info_ftol_and_xtol, info_gtol, &
        info_maxfev, info_ftol_too_small, info_xtol_too_small, info_gtol_too_small, &
        info_trial_not_finite, info_start_not_finite, info_jacobian_not_finite
    use norms, only: enorm, is_finite
    use solver_options, only: fit_options
    use differences, only: difference_step, difference_column
    use pivoted_qr, only: factor_rows
    use row_folding, only: fold_jacobian
    use lm_parameter, only: lmpar
    implicit none (type, external)
    private
    public :: lm_fit, lm_layout, layout, lm_start, lm_residuals, lm_jacobian, lm_norm, lm_rows, lm_stop

    !> The scalars of a fit under way.
    type, bind(c) :: lm_fit
        integer(c_int) :: m                 !! residuals
        integer(c_int) :: n                 !! parameters
        integer(c_int) :: analytic          !! who makes Jacobians: one of the codes below
        integer(c_int) :: scaled            !! 1: the caller supplied diag; 0: column norms of the Jacobian
        integer(c_int) :: maxfev            !! bound on evaluations of the residuals
        integer(c_int) :: nfev              !! residual evaluations so far
        integer(c_int) :: njev              !! analytic Jacobian evaluations so far
        integer(c_int) :: iter              !! 1 + accepted steps
        integer(c_int) :: info              !! exit code, or info_running
        integer(c_int) :: stage             !! what the next residuals are for
        integer(c_int) :: column            !! the Jacobian column being differenced, or found not finite
        integer(c_int) :: loss              !! code of the loss
        real(c_double) :: ftol, xtol, gtol  !! tolerances: sum of squares, iterates, gradient
        real(c_double) :: epsfcn            !! relative error of the residuals, for differences
        real(c_double) :: factor            !! initial step bound, in units of ‖D x‖
        real(c_double) :: h                 !! the difference step in use
        real(c_double) :: fnorm             !! ‖f‖ at x
        real(c_double) :: gnorm             !! largest cosine between f and a column of J
        real(c_double) :: xnorm             !! ‖D x‖
        real(c_double) :: pnorm             !! ‖D step‖
        real(c_double) :: delta             !! the step bound
        real(c_double) :: par               !! the damping parameter
        real(c_double) :: f_scale           !! scale of the loss
    end type lm_fit

    !> Where each array begins in `work`.
    type :: lm_layout
        integer(long) :: x                  !! best point so far (n)
        integer(long) :: diag               !! scaling D (n)
        integer(long) :: qtf                !! first n entries of Qᵀ f (n)
        integer(long) :: acnorm             !! column norms of J (n)
        integer(long) :: step               !! the step being tried (n)
        integer(long) :: wa1, wa2, wa3      !! scratch (n each)
        integer(long) :: r                  !! triangle of J P = Q R (n, n)
        integer(long) :: s                  !! scratch triangle and right-hand side (n, n + 1)
        integer(long) :: f                  !! residuals at x (m)
        integer(long) :: rows               !! rows being factored, right-hand side last (min(m, row_block), n + 1)
        integer(long) :: jacobian           !! differenced columns: J, in `rows`; of a tall J all but the last, after it
        integer(long) :: size               !! length of work
    end type lm_layout

    integer, parameter, public :: by_differences = 0    !! the machine, from residuals
    integer, parameter, public :: by_caller = 1         !! the caller
    integer, parameter, public :: folded_by_caller = 2  !! the caller, who keeps all residuals, too

    integer, parameter :: stage_start = 0, stage_difference = 1, stage_trial = 2

contains

    !> Say where each array begins in `work`.
    pure function layout(m, n, analytic) result(at)
        integer, intent(in) :: m            !! residuals
        integer, intent(in) :: n            !! parameters
        integer, intent(in) :: analytic     !! who makes Jacobians
        type(lm_layout) :: at

        integer(long) :: rows, columns

        rows = m
        if (analytic == folded_by_caller) rows = 0
        columns = n
        at%x = 1
        at%diag = at%x + columns
        at%qtf = at%diag + columns
        at%acnorm = at%qtf + columns
        at%step = at%acnorm + columns
        at%wa1 = at%step + columns
        at%wa2 = at%wa1 + columns
        at%wa3 = at%wa2 + columns
        at%r = at%wa3 + columns
        at%s = at%r + columns**2
        at%f = at%s + columns*(columns + 1)
        at%rows = at%f + rows
        at%jacobian = at%rows
        at%size = at%rows + min(rows, int(row_block, long))*(columns + 1) - 1
        if (m > row_block .and. analytic == by_differences) then
            at%jacobian = at%size + 1
            at%size = at%size + rows*(columns - 1)
        end if
    end function layout

    !> Begin a fit: check the options and ask for the residuals at the starting point.
    pure subroutine lm_start(m, n, x, analytic, options, scaled, diag, fit, work, task)
        integer, intent(in) :: m            !! residuals, m >= n
        integer, intent(in) :: n            !! parameters, n >= 1
        real(wp), intent(in) :: x(*)        !! starting point (n)
        integer, intent(in) :: analytic     !! who makes Jacobians
        type(fit_options), intent(in) :: options    !! tolerances, bounds and loss
        integer, intent(in) :: scaled       !! 1: diag is given; 0: scale by the Jacobian's column norms
        real(wp), intent(in) :: diag(*)     !! scale factors (n), > 0, read only when scaled is 1
        type(lm_fit), intent(out) :: fit    !! scalars of the fit
        real(wp), intent(inout) :: work(*)  !! arrays of the fit, layout(m, n, analytic)%size long
        integer, intent(out) :: task        !! what the machine wants next

        type(lm_layout) :: at
        integer :: j

        fit = lm_fit(m=m, n=n, analytic=analytic, scaled=scaled, maxfev=0, nfev=0, njev=0, iter=1, &
                     info=info_running, stage=stage_start, column=0, loss=options%loss, &
                     ftol=options%ftol, xtol=options%xtol, gtol=options%gtol, epsfcn=options%epsfcn, &
                     factor=options%factor, h=0.0_wp, fnorm=0.0_wp, gnorm=0.0_wp, xnorm=0.0_wp, pnorm=0.0_wp, &
                     delta=0.0_wp, par=0.0_wp, f_scale=options%f_scale)
        task = task_done
        if (.not. (n >= 1 .and. m >= n .and. are_proper(options))) fit%info = info_improper_input
        if (scaled == 1 .and. n >= 1) then
            if (.not. all(diag(1:n) > 0.0_wp)) fit%info = info_improper_input
        end if
        if (fit%info == info_improper_input) return

        fit%maxfev = int(options%maxfev)
        at = layout(m, n, analytic)
        do j = 1, n
            work(at%x + j - 1) = x(j)
            work(at%diag + j - 1) = 1.0_wp
            if (scaled == 1) work(at%diag + j - 1) = diag(j)
        end do
        task = task_residuals
    end subroutine lm_start

    !> Whether a fit can be steered by these options; NaN is improper, too.
    pure function are_proper(options) result(proper)
        type(fit_options), intent(in) :: options
        logical :: proper

        proper = options%ftol >= 0.0_wp .and. options%xtol >= 0.0_wp .and. options%gtol >= 0.0_wp &
            .and. options%maxfev >= 1.0_wp .and. options%maxfev <= real(huge(1), wp) &
            .and. options%factor > 0.0_wp .and. options%f_scale > 0.0_wp
    end function are_proper

    !> Take in the residuals the machine asked for and say what it wants next.
    pure subroutine lm_residuals(m, n, f, fit, ipvt, work, x, task)
        integer, intent(in) :: m                    !! residuals
        integer, intent(in) :: n                    !! parameters
        real(wp), intent(in) :: f(m)                !! residuals at the x last asked about
        type(lm_fit), intent(inout) :: fit          !! scalars of the fit
        integer, intent(inout) :: ipvt(n)           !! pivots of the last factorisation
        real(wp), intent(inout) :: work(*)          !! arrays of the fit
        real(wp), intent(out) :: x(n)               !! where to evaluate next, or the solution
        integer, intent(out) :: task                !! what the machine wants next

        type(lm_layout) :: at
        logical :: accepted

        at = layout(m, n, fit%analytic)
        if (fit%stage /= stage_difference) then
            call take_norm(n, enorm(m, f), at, fit, ipvt, work, x, task, accepted)
            if (accepted) call copy(m, f, work(at%f))
            return
        end if
        fit%nfev = fit%nfev + 1
        if (m <= row_block .or. fit%column < n) then
            call difference_column(m, f, work(at%f), fit%h, work(at%jacobian + (fit%column - 1)*int(m, long)))
        end if
        if (fit%column < n) then
            call ask_for_difference(n, fit%column + 1, fit, work(at%x), x, task)
            return
        end if
        if (m <= row_block) then
            call factor_block(m, n, at, ipvt, work)
        else
            call fold_jacobian(m, n, work(at%jacobian), 1_long, int(m, long), work(at%f), work(at%r), &
                               work(at%qtf), ipvt, work(at%acnorm), work(at%rows), work(at%s), &
                               work(at%wa1), work(at%wa2), shifted=f, h=fit%h)
        end if
        call begin_iteration(n, at, fit, ipvt, work, x, task)
        if (fit%info /= info_running) call finish(n, work(at%x), x, task)
    end subroutine lm_residuals

    !> Take in the norm of the residuals, all that a caller who folds hands in of them, and say what is wanted next.
    pure subroutine lm_norm(m, n, fnorm, fit, ipvt, work, x, task)
        integer, intent(in) :: m                    !! residuals
        integer, intent(in) :: n                    !! parameters
        real(wp), intent(in) :: fnorm               !! norm of the residuals at the x last asked about
        type(lm_fit), intent(inout) :: fit          !! scalars of the fit, begun with folded_by_caller
        integer, intent(inout) :: ipvt(n)           !! pivots of the last factorisation
        real(wp), intent(inout) :: work(*)          !! arrays of the fit
        real(wp), intent(out) :: x(n)               !! where to evaluate next, or the solution
        integer, intent(out) :: task                !! what the machine wants next

        logical :: accepted

        call take_norm(n, fnorm, layout(m, n, fit%analytic), fit, ipvt, work, x, task, accepted)
    end subroutine lm_norm

    !> Take in a Jacobian and its residuals, or the triangle they were folded into, and say what is wanted next.
    pure subroutine lm_rows(m, n, count, rows, evaluations, fit, ipvt, work, x, task)
        integer, intent(in) :: m                    !! residuals
        integer, intent(in) :: n                    !! parameters
        integer, intent(in) :: count                !! rows handed in: m, or n of a triangle
        real(wp), intent(inout) :: rows(count, n + 1)   !! derivatives at that x, residuals last; destroyed
        integer, intent(in) :: evaluations          !! of the residuals, that the derivatives took
        type(lm_fit), intent(inout) :: fit          !! scalars of the fit, begun with folded_by_caller
        integer, intent(inout) :: ipvt(n)           !! pivots of the last factorisation
        real(wp), intent(inout) :: work(*)          !! arrays of the fit
        real(wp), intent(out) :: x(n)               !! where to evaluate next, or the solution
        integer, intent(out) :: task                !! what the machine wants next

        type(lm_layout) :: at

        at = layout(m, n, fit%analytic)
        fit%njev = fit%njev + 1
        fit%nfev = fit%nfev + evaluations
        call factor_rows(count, n, rows, work(at%r), work(at%qtf), ipvt, work(at%acnorm), work(at%wa1), work(at%wa2))
        call begin_iteration(n, at, fit, ipvt, work, x, task)
        if (fit%info /= info_running) call finish(n, work(at%x), x, task)
    end subroutine lm_rows

    !> Judge the residuals at the start or at a trial point by their norm.
    pure subroutine take_norm(n, fnorm, at, fit, ipvt, work, x, task, accepted)
        integer, intent(in) :: n
        real(wp), intent(in) :: fnorm               !! norm of the residuals at the x last asked about
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(inout) :: fit
        integer, intent(in) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task
        logical, intent(out) :: accepted            !! whether that x is now the best

        fit%nfev = fit%nfev + 1
        if (fit%stage == stage_start) then
            accepted = .true.
            fit%fnorm = fnorm
            if (.not. is_finite(fnorm)) fit%info = info_start_not_finite
        else
            call judge_step(n, fnorm, work(at%diag), work(at%r), ipvt, work(at%step), work(at%wa1), &
                            work(at%x), fit, accepted)
        end if
        if (fit%info /= info_running) then
            call finish(n, work(at%x), x, task)
        else if (accepted) then
            call ask_for_jacobian(n, fit, work(at%x), x, task)
        else
            call propose_step(n, at, fit, ipvt, work, x, task)
        end if
    end subroutine take_norm

    !> Take in the Jacobian the machine asked for and say what it wants next.
    !>
    !> Element (i, j) is entry 1 + (i - 1)*row_stride + (j - 1)*column_stride of `jac`.
    pure subroutine lm_jacobian(m, n, jac, row_stride, column_stride, fit, ipvt, work, x, task)
        integer, intent(in) :: m                    !! residuals
        integer, intent(in) :: n                    !! parameters
        real(wp), intent(in) :: jac(*)              !! Jacobian at the x last asked about
        integer(long), intent(in) :: row_stride     !! distance between neighbours in a column of J
        integer(long), intent(in) :: column_stride  !! distance between neighbours in a row of J
        type(lm_fit), intent(inout) :: fit          !! scalars of the fit
        integer, intent(inout) :: ipvt(n)           !! pivots of the last factorisation
        real(wp), intent(inout) :: work(*)          !! arrays of the fit
        real(wp), intent(out) :: x(n)               !! where to evaluate next, or the solution
        integer, intent(out) :: task                !! what the machine wants next

        type(lm_layout) :: at

        at = layout(m, n, fit%analytic)
        fit%njev = fit%njev + 1
        if (m <= row_block) then
            call gather(m, n, jac, row_stride, column_stride, work(at%rows))
            call factor_block(m, n, at, ipvt, work)
        else
            call fold_jacobian(m, n, jac, row_stride, column_stride, work(at%f), work(at%r), work(at%qtf), ipvt, &
                               work(at%acnorm), work(at%rows), work(at%s), work(at%wa1), work(at%wa2))
        end if
        call begin_iteration(n, at, fit, ipvt, work, x, task)
        if (fit%info /= info_running) call finish(n, work(at%x), x, task)
    end subroutine lm_jacobian

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

        at = layout(m, n, fit%analytic)
        fit%info = -code
        call finish(n, work(at%x), x, task)
    end subroutine lm_stop

    !> Ask for the Jacobian at the best point: as a whole, or the first of its differences.
    pure subroutine ask_for_jacobian(n, fit, best, x, task)
        integer, intent(in) :: n
        type(lm_fit), intent(inout) :: fit
        real(wp), intent(in) :: best(n)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task

        if (fit%analytic /= by_differences) then
            x = best
            task = task_jacobian
        else
            call ask_for_difference(n, 1, fit, best, x, task)
        end if
    end subroutine ask_for_jacobian

    !> Ask for the residuals one difference step away from the best point.
    pure subroutine ask_for_difference(n, column, fit, best, x, task)
        integer, intent(in) :: n
        integer, intent(in) :: column
        type(lm_fit), intent(inout) :: fit
        real(wp), intent(in) :: best(n)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task

        fit%stage = stage_difference
        fit%column = column
        fit%h = difference_step(best(column), fit%epsfcn)
        x = best
        x(column) = best(column) + fit%h
        task = task_residuals
    end subroutine ask_for_difference

    !> Factor the rows in `work`, all of J in one block, and carry the residuals along.
    pure subroutine factor_block(m, n, at, ipvt, work)
        integer, intent(in) :: m
        integer, intent(in) :: n
        type(lm_layout), intent(in) :: at
        integer, intent(out) :: ipvt(n)
        real(wp), intent(inout) :: work(*)

        call copy(m, work(at%f), work(at%rows + int(m, long)*n))
        call factor_rows(m, n, work(at%rows), work(at%r), work(at%qtf), ipvt, work(at%acnorm), &
                         work(at%wa1), work(at%wa2))
    end subroutine factor_block

    !> Start an outer iteration from a factored Jacobian: update the scaling, test the gradient, propose a step.
    pure subroutine begin_iteration(n, at, fit, ipvt, work, x, task)
        integer, intent(in) :: n
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(inout) :: fit
        integer, intent(in) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task

        integer :: j

        do j = n, 1, -1
            if (is_finite(work(at%acnorm + j - 1))) cycle
            fit%info = info_jacobian_not_finite
            fit%column = j
        end do
        if (fit%info /= info_running) return

        if (fit%iter == 1) call set_scale(n, work(at%acnorm), work(at%x), work(at%diag), work(at%wa1), fit)
        fit%gnorm = gradient_cosine(n, work(at%r), work(at%qtf), ipvt, work(at%acnorm), fit%fnorm)
        if (fit%gnorm <= fit%gtol) then
            fit%info = info_gtol
            return
        end if
        if (fit%scaled == 0) call raise_scale(n, work(at%acnorm), work(at%diag))
        call propose_step(n, at, fit, ipvt, work, x, task)
    end subroutine begin_iteration

    !> Compute the next step within the bound and ask for the residuals there.
    pure subroutine propose_step(n, at, fit, ipvt, work, x, task)
        integer, intent(in) :: n
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(inout) :: fit
        integer, intent(in) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task

        integer :: j

        call lmpar(n, work(at%r), ipvt, work(at%diag), work(at%qtf), fit%delta, fit%par, work(at%step), &
                   work(at%s), work(at%wa1), work(at%wa2), work(at%wa3))
        do j = 1, n
            work(at%step + j - 1) = -work(at%step + j - 1)
            x(j) = work(at%x + j - 1) + work(at%step + j - 1)
            work(at%wa1 + j - 1) = work(at%diag + j - 1)*work(at%step + j - 1)
        end do
        fit%pnorm = enorm(n, work(at%wa1))
        if (fit%iter == 1) fit%delta = min(fit%delta, fit%pnorm)
        fit%stage = stage_trial
        task = task_residuals
    end subroutine propose_step

    !> Compare the reduction a step brought with the one predicted; move the bound, the damping and x; test for an end.
    pure subroutine judge_step(n, trial_fnorm, diag, r, ipvt, step, wa, x, fit, accepted)
        integer, intent(in) :: n
        real(wp), intent(in) :: trial_fnorm         !! norm of the residuals at x + step
        real(wp), intent(in) :: diag(n)
        real(wp), intent(in) :: r(n, n)
        integer, intent(in) :: ipvt(n)
        real(wp), intent(in) :: step(n)
        real(wp), intent(out) :: wa(n)
        real(wp), intent(inout) :: x(n)
        type(lm_fit), intent(inout) :: fit
        logical, intent(out) :: accepted

        real(wp) :: actred, prered, dirder, ratio, linear, damped, shrink
        integer :: j

        ! The comparison is false for NaN, which therefore counts as no reduction at all.
        actred = -1.0_wp
        if (0.1_wp*trial_fnorm < fit%fnorm) actred = 1.0_wp - (trial_fnorm/fit%fnorm)**2

        wa = 0.0_wp
        do j = 1, n
            wa(1:j) = wa(1:j) + r(1:j, j)*step(ipvt(j))
        end do
        linear = enorm(n, wa)/fit%fnorm
        damped = (sqrt(fit%par)*fit%pnorm)/fit%fnorm
        prered = linear**2 + damped**2/0.5_wp
        dirder = -(linear**2 + damped**2)
        ratio = 0.0_wp
        if (prered /= 0.0_wp) ratio = actred/prered

        if (ratio <= 0.25_wp) then
            shrink = 0.5_wp
            if (actred < 0.0_wp) shrink = 0.5_wp*dirder/(dirder + 0.5_wp*actred)
            if (0.1_wp*trial_fnorm >= fit%fnorm .or. shrink < 0.1_wp) shrink = 0.1_wp
            fit%delta = shrink*min(fit%delta, fit%pnorm/0.1_wp)
            fit%par = fit%par/shrink
        else if (fit%par == 0.0_wp .or. ratio >= 0.75_wp) then
            fit%delta = fit%pnorm/0.5_wp
            fit%par = 0.5_wp*fit%par
        end if

        accepted = ratio >= 1.0e-4_wp
        if (accepted) then
            x = x + step
            wa = diag*x
            fit%xnorm = enorm(n, wa)
            fit%fnorm = trial_fnorm
            fit%iter = fit%iter + 1
        end if
        fit%info = exit_code(fit, actred, prered, ratio, is_finite(trial_fnorm))
    end subroutine judge_step

    !> Decide whether a judged step ends the fit, and how.
    pure function exit_code(fit, actred, prered, ratio, trial_finite) result(info)
        type(lm_fit), intent(in) :: fit
        real(wp), intent(in) :: actred              !! relative reduction of the sum of squares
        real(wp), intent(in) :: prered              !! the reduction predicted
        real(wp), intent(in) :: ratio               !! of the two
        logical, intent(in) :: trial_finite         !! whether the step led to finite residuals
        integer :: info

        logical :: small_f, small_x

        small_f = abs(actred) <= fit%ftol .and. prered <= fit%ftol .and. 0.5_wp*ratio <= 1.0_wp
        small_x = fit%delta <= fit%xtol*fit%xnorm .and. is_finite(fit%xnorm)
        info = info_running
        if (small_f) info = info_ftol
        if (small_x) info = info_xtol
        if (small_f .and. small_x) info = info_ftol_and_xtol
        if (info == info_running) then
            if (fit%nfev >= fit%maxfev) info = info_maxfev
            if (abs(actred) <= eps .and. prered <= eps .and. 0.5_wp*ratio <= 1.0_wp) info = info_ftol_too_small
            if (fit%delta <= eps*fit%xnorm .and. is_finite(fit%xnorm)) info = info_xtol_too_small
            if (fit%gnorm <= eps) info = info_gtol_too_small
        end if
        ! A bound that shrank away from residuals without a value shows where the model ends, not where the minimum is.
        if (.not. trial_finite .and. info /= info_running .and. info /= info_maxfev) info = info_trial_not_finite
    end function exit_code

    !> Set D and the step bound at the first Jacobian.
    pure subroutine set_scale(n, acnorm, x, diag, wa, fit)
        integer, intent(in) :: n
        real(wp), intent(in) :: acnorm(n)
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: diag(n)
        real(wp), intent(out) :: wa(n)
        type(lm_fit), intent(inout) :: fit

        if (fit%scaled == 0) then
            diag = acnorm
            where (diag == 0.0_wp) diag = 1.0_wp
        end if
        wa = diag*x
        fit%xnorm = enorm(n, wa)
        fit%delta = fit%factor*fit%xnorm
        if (fit%delta == 0.0_wp) fit%delta = fit%factor
    end subroutine set_scale

    !> D never shrinks: this is what makes the method independent of the parameters' units.
    pure subroutine raise_scale(n, acnorm, diag)
        integer, intent(in) :: n
        real(wp), intent(in) :: acnorm(n)
        real(wp), intent(inout) :: diag(n)

        diag = max(diag, acnorm)
    end subroutine raise_scale

    !> Largest cosine, in absolute value, between the residual vector and a column of the Jacobian.
    pure function gradient_cosine(n, r, qtf, ipvt, acnorm, fnorm) result(gnorm)
        integer, intent(in) :: n
        real(wp), intent(in) :: r(n, n)
        real(wp), intent(in) :: qtf(n)
        integer, intent(in) :: ipvt(n)
        real(wp), intent(in) :: acnorm(n)
        real(wp), intent(in) :: fnorm
        real(wp) :: gnorm

        real(wp) :: total
        integer :: i, j

        gnorm = 0.0_wp
        if (fnorm == 0.0_wp) return
        do j = 1, n
            if (acnorm(ipvt(j)) == 0.0_wp) cycle
            total = 0.0_wp
            do i = 1, j
                total = total + r(i, j)*(qtf(i)/fnorm)
            end do
            gnorm = max(gnorm, abs(total/acnorm(ipvt(j))))
        end do
    end function gradient_cosine

    !> Hand out the best point.
    pure subroutine finish(n, best, x, task)
        integer, intent(in) :: n
        real(wp), intent(in) :: best(n)
        real(wp), intent(out) :: x(n)
        integer, intent(out) :: task

        x = best
        task = task_done
    end subroutine finish

    !> Copy a strided matrix into one stored by columns.
    pure subroutine gather(m, n, source, row_stride, column_stride, matrix)
        integer, intent(in) :: m
        integer, intent(in) :: n
        real(wp), intent(in) :: source(*)
        integer(long), intent(in) :: row_stride
        integer(long), intent(in) :: column_stride
        real(wp), intent(out) :: matrix(m, n)

        integer :: i, j

        do j = 1, n
            do i = 1, m
                matrix(i, j) = source(1 + (i - 1)*row_stride + (j - 1)*column_stride)
            end do
        end do
    end subroutine gather

    pure subroutine copy(n, source, destination)
        integer, intent(in) :: n
        real(wp), intent(in) :: source(n)
        real(wp), intent(out) :: destination(n)

        destination = source
    end subroutine copy

end module lm
