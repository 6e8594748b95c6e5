! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

! The routines for fits of data that Python holds only a block of at a time: it folds rows, and the iteration sees the
! norm of the residuals and the triangle.

!> Scale rows as the loss wants it, and fold them into the triangle of the rows before them.
subroutine fold_rows(count, n, block, y, loss, f_scale, head, work, norm)
    use kinds, only: wp, row_block
    use row_folding, only: fold_block
    use rows, only: cost_norm, scale_rows
    use solver_options, only: loss_poisson
    implicit none (type, external)
    integer, intent(in) :: count                            !! rows
    integer, intent(in) :: n                                !! parameters
    real(wp), intent(in) :: block(count, n + 1)             !! derivatives, and last residuals or values of counts
    real(wp), intent(in) :: y(*)                            !! counts (count), looked at for the loss of counts only
    integer, intent(in) :: loss                             !! code of the loss
    real(wp), intent(in) :: f_scale                         !! its scale
    real(wp), intent(inout) :: head(n, n + 1)               !! triangle, and head of Qᵀf last; zero to begin with
    real(wp), intent(inout) :: work(row_block, n + 1)       !! work
    real(wp), intent(out) :: norm                           !! square root of the cost of these rows

    real(wp), parameter :: unweighted(1) = 1.0_wp
    integer :: first, rest, counted

    norm = cost_norm(count, block(:, n + 1), loss, f_scale, y, .false., unweighted)
    do first = 1, count, row_block
        rest = min(row_block, count - first + 1)
        counted = merge(first, 1, loss == loss_poisson)
        work(1:rest, :) = block(first:first + rest - 1, :)
        call scale_rows(rest, n, row_block, loss, f_scale, y(counted), .false., unweighted, work)
        call fold_block(rest, n, work, head)
    end do
end subroutine fold_rows

!> Hand in the norm of the residuals; get the next task and the point it is for.
subroutine take_norm(n, state, fnorm, x, task)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, task_wrong_size
    use lm, only: lm_fit, lm_norm, folded_by_caller
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer, intent(in) :: n                        !! parameters
    real(wp), intent(inout), target :: state(*)     !! the packed array of a fit begun with folded_by_caller
    real(wp), intent(in) :: fnorm                   !! norm of the residuals at the x last asked about
    real(wp), intent(inout) :: x(n)                 !! out: where to evaluate next, or the solution
    integer, intent(out) :: task                    !! what to do next

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)

    call unpack_fit(n, state, fit, ipvt)
    task = task_wrong_size
    if (fit%n /= n .or. fit%analytic /= folded_by_caller) return
    call lm_norm(fit%m, n, fnorm, fit, ipvt, state(work_begins(n)), x, task)
end subroutine take_norm

!> Hand in the triangle of all rows; get the next task and the point it is for.
subroutine take_triangle(n, state, head, evaluations, x, task)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, task_wrong_size
    use lm, only: lm_fit, lm_rows, folded_by_caller
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer, intent(in) :: n                        !! parameters
    real(wp), intent(inout), target :: state(*)     !! the packed array of a fit begun with folded_by_caller
    real(wp), intent(inout) :: head(n, n + 1)       !! triangle and head of Qᵀf at the x last asked about; destroyed
    integer, intent(in) :: evaluations              !! of the residuals, that the derivatives took
    real(wp), intent(inout) :: x(n)                 !! out: where to evaluate next, or the solution
    integer, intent(out) :: task                    !! what to do next

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)

    call unpack_fit(n, state, fit, ipvt)
    task = task_wrong_size
    if (fit%n /= n .or. fit%analytic /= folded_by_caller) return
    call lm_rows(fit%m, n, n, head, evaluations, fit, ipvt, state(work_begins(n)), x, task)
end subroutine take_triangle
