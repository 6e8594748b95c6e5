! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> How a fit begins: options and bounds checked, arrays filled, and the residuals at the start asked for.
module lm_begin
    use kinds, only: wp, task_done, task_residuals, info_running, info_improper_input, info_infeasible
    use solver_options, only: fit_options
    use lm_state, only: lm_fit, lm_layout, layout, stage_start
    implicit none (type, external)
    private
    public :: lm_start

contains

    !> Begin a fit: check the options and ask for the residuals at the starting point.
    pure subroutine lm_start(m, n, x, analytic, options, scaled, diag, fit, work, task, lower, upper)
        integer, intent(in) :: m            !! residuals, not fewer than parameters that are not fixed
        integer, intent(in) :: n            !! parameters, n >= 1
        real(wp), intent(in) :: x(*)        !! starting point (n)
        integer, intent(in) :: analytic     !! who makes Jacobians
        type(fit_options), intent(in) :: options    !! tolerances and loss
        integer, intent(in) :: scaled       !! 1: diag is given; 0: scale by the Jacobian's column norms
        real(wp), intent(in) :: diag(*)     !! scale factors (n), > 0, read only when scaled is 1
        type(lm_fit), intent(out) :: fit    !! scalars of the fit
        real(wp), intent(inout) :: work(*)  !! arrays of the fit, layout(m, n, analytic, bounded)%size long
        integer, intent(out) :: task        !! what the machine wants next
        real(wp), intent(in), optional :: lower(*), upper(*)    !! bounds (n), lower <= upper; equal: fixed

        type(lm_layout) :: at
        integer :: j, fixed

        fit = lm_fit(m=m, n=n, analytic=analytic, scaled=scaled == 1, maxfev=0, nfev=0, njev=0, iter=1, &
                     info=info_running, stage=stage_start, column=0, loss=options%loss, &
                     bounded=present(lower) .and. present(upper), truncated=.false., hesitant=.false., &
                     ftol=options%ftol, xtol=options%xtol, gtol=options%gtol, epsfcn=options%epsfcn, &
                     factor=options%factor, h=0.0_wp, fnorm=0.0_wp, gnorm=0.0_wp, xnorm=0.0_wp, pnorm=0.0_wp, &
                     delta=0.0_wp, par=0.0_wp, f_scale=options%f_scale)
        task = task_done
        if (.not. (n >= 1 .and. are_proper(options))) fit%info = info_improper_input
        if (fit%scaled .and. n >= 1) then
            if (.not. all(diag(1:n) > 0.0_wp)) fit%info = info_improper_input
        end if
        fixed = 0
        if (fit%bounded .and. n >= 1) then
            fixed = count_equal(n, lower, upper)
            if (.not. all(lower(1:n) <= upper(1:n))) then
                fit%info = info_improper_input
            else if (.not. all(lower(1:n) <= x(1:n) .and. x(1:n) <= upper(1:n))) then
                fit%info = info_infeasible
            end if
        end if
        if (m < n - fixed) fit%info = info_improper_input
        if (fit%info /= info_running) return

        fit%maxfev = int(options%maxfev)
        at = layout(m, n, analytic, logical(fit%bounded))
        do j = 1, n
            work(at%x + j - 1) = x(j)
            work(at%diag + j - 1) = 1.0_wp
            if (fit%scaled) work(at%diag + j - 1) = diag(j)
            if (.not. fit%bounded) cycle
            work(at%lower + j - 1) = lower(j)
            work(at%upper + j - 1) = upper(j)
            work(at%hits + j - 1) = 0.0_wp
            work(at%reached + j - 1) = 0.0_wp
        end do
        task = task_residuals
    end subroutine lm_start

    !> How many bounds fix a parameter.
    pure integer function count_equal(n, lower, upper) result(fixed)
        integer, intent(in) :: n
        real(wp), intent(in) :: lower(n), upper(n)

        fixed = count(lower == upper)
    end function count_equal

    !> Whether a fit can be steered by these options; NaN is improper, too.
    pure function are_proper(options) result(proper)
        type(fit_options), intent(in) :: options
        logical :: proper

        proper = options%ftol >= 0.0_wp .and. options%xtol >= 0.0_wp .and. options%gtol >= 0.0_wp &
            .and. options%maxfev >= 1.0_wp .and. options%maxfev <= real(huge(1), wp) &
            .and. options%factor > 0.0_wp .and. options%f_scale > 0.0_wp
    end function are_proper

end module lm_begin
